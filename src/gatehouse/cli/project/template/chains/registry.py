"""What is served: the one list. To serve a chain, write its file and add its line here."""

from gatehouse import Entry
from langchain_core.messages import AIMessageChunk

from chains import ask, desk
from tools.opening_hours import opening_hours

REGISTRY = [
    Entry("/ask", ask.build, "Answers questions in words of our own.", example="Why is the sky blue?"),
    Entry(
        "/desk",
        desk.build,
        "Looks up when the caller's office is open.",
        tools=(opening_hours,),
        output_type=AIMessageChunk,
    ),
]
