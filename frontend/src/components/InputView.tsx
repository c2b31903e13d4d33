import { isRecord } from "@/chat/series";
import { AnswerData } from "@/components/AnswerData";

/** What was asked, where that is more than a text. */
export function InputView({ input }: { input: unknown }) {
  return isRecord(input) && Object.keys(input).length ? <AnswerData data={input} /> : <p>{JSON.stringify(input)}</p>;
}
