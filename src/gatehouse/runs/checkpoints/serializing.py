"""How checkpoints are read back: as plain values, and as objects of types that are known beforehand."""

from collections.abc import Iterable

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer


def serializer(allowed: Iterable[type] = ()) -> JsonPlusSerializer:
    """Return a serializer that makes no object but of LangChain's own types, and of those `allowed`.

    What a checkpoint names is imported and called otherwise: who can write to the table would run code
    here. A value of any other type comes back as what it was made of. Pickles are not read at all.
    """
    names = {(kind.__module__, kind.__name__) for kind in allowed}
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=names or None)
