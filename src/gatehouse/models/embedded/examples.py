"""Everyday messages and tools that the embedded model's reading of a new one is compared with.

They come from no particular field on purpose: what a served tool does is learnt from its own name and
description, these only show what asking for one looks like.
"""

# what someone says who wants something looked up, worked out or done
REQUESTS = (
    "Show me my appointments for tomorrow.",
    "What are my unread mails?",
    "How has my sleep been over the last week?",
    "List my reminders.",
    "Which of my parcels arrive today?",
    "How many steps did I walk this month?",
    "Do I have meetings on Monday?",
    "How was my heart rate yesterday?",
    "Who are my contacts in Berlin?",
    "What is in my shopping basket?",
    "How did my team play last season?",
    "Give me my grades of this term.",
    "steps last week",
    "Convert 10 miles to kilometres.",
    "What is 5 feet in metres?",
    "7 miles in km",
    "How many days are between 3 May and 9 June?",
    "I was born in 1980, how old am I?",
    "Which is heavier, 3 kg or 8 pounds?",
    "Compare the Pixel 9 and the iPhone 16.",
    "Translate 'good night' into Italian.",
    "Send a message to Anna that I am late.",
    "Book a table for 2 at 20:00.",
    "Remind me in 20 minutes to call Tom.",
    "Will it rain in Rome tomorrow?",
    "Track parcel 38271.",
    "What's the time in Tokyo?",
    "Can you work out how much paint I need?",
)

# what someone says who wants to talk, or to be told what is generally known
CONVERSATION = (
    "Good afternoon!",
    "Hey",
    "How are you today?",
    "Thanks a lot.",
    "Good night",
    "I am Peter.",
    "Nice to meet you.",
    "What are you able to do?",
    "That is great.",
    "Who painted the Mona Lisa?",
    "What is the population of Spain?",
    "When did the Second World War end?",
    "What does gravity mean?",
    "What is a calendar?",
    "What is an email?",
    "What does GPS stand for?",
    "What is the difference between a virus and a bacterium?",
    "Explain how a car engine works.",
    "How does a vaccine work?",
    "Why is the sea salty?",
    "Tell me about the history of Rome.",
    "What are the advantages of trains?",
    "How do I bake bread?",
    "How can I sleep better?",
    "Is it healthy to drink coffee?",
    "Should I learn to swim?",
    "Write a short story about a dog.",
    "Sing me a song about the moon.",
)

# tools of other fields, as name and description: what all tools share tells none apart, and a request that
# fits one of these far better than any tool that is there wants none that is there
TOOLS = (
    ("get weather", "The weather in a city on a day."),
    ("translate text", "Translate a text into another language."),
    ("send email", "Send an email to somebody."),
    ("list appointments", "The caller's own appointments."),
    ("search documents", "Search documents for a question."),
    ("convert units", "Convert a length or a weight to another unit."),
    ("get sleep statistics", "How the caller slept over a period."),
    ("compare phones", "Compare the features of two or more phones."),
    ("book table", "Book a table in a restaurant."),
    ("calculate age", "Age in years, from the birth date and today."),
    ("set timer", "Set a timer or an alarm."),
    ("play music", "Play music."),
    ("book flight", "Book a flight to a city."),
    ("get time", "The time in a place."),
    ("send money", "Send money to somebody."),
    ("order food", "Order food."),
    ("change profile", "Change the caller's address or password."),
    ("control lights", "Turn the lights on or off."),
    ("convert currency", "Convert an amount to another currency."),
    ("track parcel", "Where a parcel is."),
)

# how values are shared out among parameters: description of the tool, message, arguments
ARGUMENTS = (
    (
        "age at: How old someone was, from the year of birth and another year.",
        "The war ended in 1945, Tom was born in 1931. How old was he?",
        {"birth": 1931, "year": 1945},
    ),
    (
        "age at: How old someone was, from the year of birth and another year.",
        "Born in 1950, how old was I in 1969?",
        {"birth": 1950, "year": 1969},
    ),
    (
        "book train: Book a train from a station to another.",
        "I want to get to Rome, I am in Milan.",
        {"origin": "Milan", "destination": "Rome"},
    ),
    (
        "book train: Book a train from a station to another.",
        "A ticket from Paris to Lyon please",
        {"origin": "Paris", "destination": "Lyon"},
    ),
)
