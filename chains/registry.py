"""What is served: the one list. To serve a chain, write its file and add its line here."""

from langchain_core.messages import AIMessageChunk

from chains import agent, chat, summarize
from gatehouse import Entry, TextInput
from tools.calculate_roi import calculate_roi
from tools.calculator import calculator
from tools.compare_investments import compare_investments
from tools.get_portfolio_performance import get_portfolio_performance
from tools.list_holdings import list_holdings
from tools.place_order import place_order
from tools.transfer_money import transfer_money

REGISTRY = [
    Entry("/chat", chat.build, "Answers questions about banking and investing.", input_type=TextInput),
    Entry(
        "/summarize",
        summarize.build,
        "Summarises a text into a title, a summary and key points.",
        input_type=summarize.Request,
        output_type=summarize.Summary,
    ),
    Entry(
        "/agent",
        agent.build,
        "An investment assistant that calls tools on the caller's own portfolio.",
        tools=(
            calculate_roi,
            calculator,
            get_portfolio_performance,
            list_holdings,
            compare_investments,
            transfer_money,
            place_order,
        ),
        approve={"transfer_money": "approve edit reject", "place_order": "approve edit reject"},
        output_type=AIMessageChunk,
        default=True,
        mcp=True,
        example="How is my portfolio doing?",
    ),
]
