"""An answer for a page that can do nothing but append what it is sent, as those of most tutorials."""

from collections import OrderedDict

from chat.broadcast import utf16_length
from chat.gatehouse import Event

BEGINS_ANEW = "\n[The answer begins anew.]\n"
MOST_ANSWERS = 100  # that one socket remembers


class Appended:
    """What is to be appended for each event of one run, in order.

    An event may come twice (`offset` says where its text belongs): then nothing is. What a page has seen
    cannot be taken back, so it is told when an answer begins anew.
    """

    def __init__(self, *, joined_late: bool = False) -> None:
        """`joined_late`: the page has seen the beginning, of which nothing is known here."""
        self._text = ""
        self._whole = not joined_late

    def text_of(self, event: Event) -> str:
        """Return what the page appends; an empty text when there is nothing to add."""
        match event["type"]:
            case "token":
                return self._added(event["content"], event.get("offset"))
            case "restart":
                self._text, self._whole = "", True
                return BEGINS_ANEW
            case "gap":
                return self._replaced(event["text"])
            case "complete":
                return self._completed(event["content"])
            case "error":
                return f"\n{event['content']}"
        return ""

    def _added(self, content: str, offset: int | None) -> str:
        known = utf16_length(self._text)
        place = known if offset is None else offset
        if place > known:
            return ""  # something between was missed: `complete` brings all of it
        new = after(content, known - place)
        self._text += new
        return new

    def _replaced(self, text: str) -> str:
        more = text.startswith(self._text) and self._whole
        new = text[len(self._text) :] if more else BEGINS_ANEW + text
        self._text, self._whole = text, True
        return new

    def _completed(self, content: str) -> str:
        if not self._whole or not content.startswith(self._text):
            return ""
        new, self._text = content[len(self._text) :], content
        return new


class Answers:
    """The answers that one socket shows."""

    def __init__(self) -> None:
        self._answers: OrderedDict[str, Appended] = OrderedDict()

    def text_of(self, event: Event) -> str:
        """Return what the page appends for an event of any run; one without a run is a refusal."""
        run_id = event.get("run_id", "")
        if run_id not in self._answers:
            self._answers[run_id] = Appended()
            while len(self._answers) > MOST_ANSWERS:
                self._answers.popitem(last=False)
        return self._answers[run_id].text_of(event)


def after(text: str, length: int) -> str:
    """Return the text without its first `length` characters, counted as JavaScript does."""
    return text.encode("utf-16-le", "surrogatepass")[2 * length :].decode("utf-16-le", "replace")
