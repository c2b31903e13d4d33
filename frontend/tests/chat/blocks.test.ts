import { describe, expect, it } from "vitest";
import { blocksOf } from "@/chat/blocks";

describe("blocks of Markdown", () => {
  it.each([
    ["nothing", "", []],
    ["paragraphs", "One\ntwo\n\nthree", ["One\ntwo", "three"]],
    ["many blank lines", "\n\nOne\n\n\n\ntwo\n", ["One", "two\n"]],
    ["fenced code with blank lines", "```py\na\n\nb\n```\n\nafter", ["```py\na\n\nb\n```", "after"]],
    ["a fence within a longer fence", "````\n```\n\n```\n````\n\nx", ["````\n```\n\n```\n````", "x"]],
    ["code that is not closed yet", "a\n\n```\nb\n\nc", ["a", "```\nb\n\nc"]],
    ["a loose list", "- one\n\n- two\n\n  more\n\nafter", ["- one\n\n- two\n\n  more", "after"]],
    ["a numbered list", "1. one\n\n2. two\n\nafter", ["1. one\n\n2. two", "after"]],
    ["a table", "| a |\n|---|\n| 1 |\n\nafter", ["| a |\n|---|\n| 1 |", "after"]],
  ])("keep %s together", (_name, text, blocks) => {
    expect(blocksOf(text)).toEqual(blocks);
  });

  it("that are finished stay as they are while more comes", () => {
    const text = "# Title\n\nOne *two*.\n\n- a\n- b\n\n```js\nx\n\ny\n```\n\nThe end.";
    const whole = blocksOf(text);
    for (let length = 0; length <= text.length; length += 1) {
      const blocks = blocksOf(text.slice(0, length));
      // the last one may still grow, and the one before it when a list or indented text goes on
      expect(whole.slice(0, Math.max(0, blocks.length - 1))).toEqual(blocks.slice(0, -1));
    }
  });
});
