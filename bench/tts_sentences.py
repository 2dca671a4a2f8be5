"""What the synthesiser is made to say in benchmarks; written for the purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

CLAUSES: Sequence[str] = (
    "Sure.",
    "Let me check that.",
    "I can book a table for two at the Italian place tonight.",
)
"""Clauses of one, four and twelve words."""

ENGLISH: Sequence[str] = (
    "The weather in Seattle will be cloudy with a chance of rain.",
    "I have moved your meeting with Professor Patel to Thursday afternoon.",
    "Could you please repeat the last four digits of your account?",
    "Michelle and Sebastian live near the old castle in Copenhagen.",
    "She read the letter twice before she tore it into pieces.",
    "I like to read in the garden when the weather is warm.",
    "The wind was so strong that it blew the lid off the box.",
    "Please wind the clock and close the door behind you.",
    "We need to record the concert for the radio station.",
    "This is a new world record for the women's relay.",
    "Your order of three large cappuccinos and a croissant is ready.",
    "The FBI and the CIA share an office building in Washington.",
    "My laptop has a USB port, but no HDMI output.",
    "Take the second exit, then turn left onto Gloucester Road.",
    "Nguyen and Xavier are flying to Albuquerque on Wednesday.",
    "The lead singer wore a jacket with heavy lead buttons.",
    "The two tickets cost forty two dollars.",
    "The total distance is around one hundred and twenty miles.",
    "He wouldn't have done it if you hadn't asked him to.",
    "There's nothing we can do about it until the bank opens.",
    "The chef recommends the salmon with asparagus and hollandaise.",
    "Albert Einstein developed the theory of general relativity.",
    "Do you want me to set an alarm for six thirty?",
    "Put the kettle on and we'll have a cup of tea.",
    "The archaeologist discovered an unusual bronze coin.",
    "Photosynthesis turns sunlight, water and carbon dioxide into sugar.",
    "I'm afraid the pharmacy on Fifth Avenue is closed today.",
    "Siobhan O'Connor will present the quarterly results.",
    "Which of these two would you rather have for breakfast?",
    "Open the settings, choose Bluetooth, and tap on pair device.",
    "They use the same trick to reduce the use of plastic.",
    "Thank you for calling, and have a wonderful evening.",
)
"""Names, homographs, abbreviations, numbers in words."""

OTHERS: Mapping[str, Sequence[str]] = {
    "es": (
        "Buenos días, ¿en qué puedo ayudarle hoy?",
        "Mañana va a llover en toda la costa norte.",
        "La reunión empieza a las nueve de la mañana.",
        "Mi hermana vive en Barcelona desde hace tres años.",
        "Me gustaría reservar una mesa para cuatro personas.",
        "El tren a Sevilla sale del andén número cinco.",
    ),
    "fr-FR": (
        "Bonjour, comment puis-je vous aider aujourd'hui ?",
        "Il va pleuvoir demain dans le nord de la France.",
        "La réunion commence à neuf heures du matin.",
        "Les enfants jouent dans le jardin avec leurs amis.",
        "Je voudrais réserver une table pour quatre personnes.",
        "Le train pour Lyon part du quai numéro cinq.",
    ),
    "it": (
        "Buongiorno, come posso aiutarla oggi?",
        "Domani pioverà in tutto il nord del paese.",
        "La riunione comincia alle nove di mattina.",
        "Mia sorella abita a Firenze da tre anni.",
        "Vorrei prenotare un tavolo per quattro persone.",
        "Il treno per Milano parte dal binario cinque.",
    ),
    "pt-BR": (
        "Bom dia, como posso ajudar você hoje?",
        "Amanhã vai chover em todo o litoral do estado.",
        "A reunião começa às nove horas da manhã.",
        "Minha irmã mora em Curitiba há três anos.",
        "Eu gostaria de reservar uma mesa para quatro pessoas.",
        "O ônibus para o aeroporto sai da plataforma cinco.",
    ),
    "hi": (
        "नमस्ते, मैं आपकी क्या मदद कर सकता हूँ?",
        "कल पूरे शहर में बारिश होगी।",
        "बैठक सुबह नौ बजे शुरू होती है।",
        "मेरी बहन तीन साल से दिल्ली में रहती है।",
        "मुझे चार लोगों के लिए एक मेज चाहिए।",
        "मुंबई की गाड़ी पाँच नंबर से जाती है।",
    ),
    "ja": (
        "こんにちは、今日はどうしましたか。",
        "明日は東京で雨が降るでしょう。",
        "会議は午前九時に始まります。",
        "私の妹は三年前から大阪に住んでいます。",
        "四人で席を予約したいのですが。",
        "京都行きの電車は五番線から出ます。",
    ),
    "zh": (
        "你好，今天我能帮你做什么？",
        "明天北京会下雨，请带上雨伞。",
        "会议早上九点开始。",
        "我妹妹在上海住了三年。",
        "我想订一张四个人的桌子。",
        "去广州的火车从五号站台出发。",
    ),
}
"""Six everyday sentences a language."""
