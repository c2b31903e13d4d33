"""LangChain's ChatOpenAI with a runnable of the server as its model: as it comes, and in a chain.

GATEHOUSE_API_KEY=… python examples/python/chat_openai.py "What is a bond?"
"""

import os
import sys

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI
from openai import OpenAIError

URL = os.environ.get("GATEHOUSE_URL", "http://127.0.0.1:8000")


def main(model: ChatOpenAI, question: str) -> None:
    for chunk in model.stream(question):
        print(chunk.text, end="", flush=True)
    print()
    chain = ChatPromptTemplate.from_template("{question}") | model | StrOutputParser()
    print(chain.invoke({"question": question}))


if __name__ == "__main__":
    key = os.environ["GATEHOUSE_API_KEY"]
    try:
        main(ChatOpenAI(model="agent", base_url=f"{URL}/v1", api_key=key), sys.argv[1])
    except BrokenPipeError:  # nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OpenAIError as error:
        raise SystemExit(str(error)) from None
