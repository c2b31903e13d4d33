"""Stock LangServe, as its documentation shows it: what Gatehouse is compared with."""

from fastapi import FastAPI
from langchain.agents import create_agent
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langserve import add_routes

from bench.requests.agent import add
from gatehouse.models.scripted.chat import ScriptedChatModel

prompt = ChatPromptTemplate.from_messages(
    [("system", "You are the assistant of a bank. Answer briefly and clearly."), ("human", "{input}")]
)
app = FastAPI()
add_routes(app, prompt | ScriptedChatModel() | StrOutputParser(), path="/chat")
add_routes(app, create_agent(ScriptedChatModel(), [add]), path="/agent")
