// The audio thread's globals, which TypeScript's DOM library does not have
// (Web Audio API 1.1, "The AudioWorkletGlobalScope Interface").
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;
