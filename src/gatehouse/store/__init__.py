"""What a runnable remembers of its caller beyond a thread: LangGraph's store, in our database."""
