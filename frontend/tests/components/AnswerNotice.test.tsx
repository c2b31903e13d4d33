import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";
import { unanswered, type Answer } from "@/chat/exchange";
import { AnswerNotice } from "@/components/AnswerNotice";

const ended = (finishReason: string | null): Answer => ({ ...unanswered(), state: "complete", finishReason });

test.each([null, "stop"])("says nothing of an answer that came to its end (%s)", (reason) => {
  const { container } = render(<AnswerNotice answer={ended(reason)} goOn={vi.fn()} />);
  expect(container.textContent).toBe("");
});

test("offers to continue an answer that was cut off", async () => {
  const goOn = vi.fn();
  render(<AnswerNotice answer={ended("length")} goOn={goOn} />);
  expect(screen.getByText(/cut off here/)).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "Continue" }));
  expect(goOn).toHaveBeenCalledOnce();
});

test("offers nothing where the conversation has gone on", () => {
  render(<AnswerNotice answer={ended("length")} />);
  expect(screen.queryByRole("button")).toBeNull();
});

test.each([
  ["refusal", /refused/],
  ["unheard_of", /ended its answer early \(unheard_of\)/],
])("says that an answer ended by %s", (reason, sentence) => {
  render(<AnswerNotice answer={ended(reason)} goOn={vi.fn()} />);
  expect(screen.getByText(sentence)).toBeTruthy();
  expect(screen.queryByRole("button")).toBeNull();
});
