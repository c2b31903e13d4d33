const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])\s/;
const INDENTED = /^(?: {2,}|\t)/;

/**
 * Splits Markdown into blocks that can be rendered by themselves, so that a streamed text is parsed again only
 * in its last block. A block ends at a blank line outside of fenced code, unless the next line belongs to it.
 * Joined by blank lines the blocks are the text. References across blocks are not resolved.
 */
export function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let lines: string[] = [];
  let fence = "";
  let blank = false;
  for (const line of text.split("\n")) {
    if (blank && lines.length && !fence && !continues(lines[0]!, line)) {
      blocks.push(lines.join("\n").trimEnd());
      lines = [];
    }
    blank = !fence && line.trim() === "";
    if (blank && !lines.length) continue;
    fence = fenceAfter(fence, line);
    lines.push(line);
  }
  const last = lines.join("\n");
  return last.trim() ? [...blocks, last] : blocks;
}

function fenceAfter(fence: string, line: string): string {
  const mark = FENCE.exec(line)?.[1];
  if (!mark) return fence;
  if (!fence) return mark;
  const closes = mark[0] === fence[0] && mark.length >= fence.length && line.trim() === mark;
  return closes ? "" : fence;
}

function continues(first: string, line: string): boolean {
  if (line.trim() === "" || INDENTED.test(line)) return true;
  return LIST_ITEM.test(first) && LIST_ITEM.test(line);
}

const PASSAGE = 12; // blocks: about a screenful

/** Returns blocks by the passage: what a page can leave out as long as it is out of sight. */
export function passagesOf(blocks: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(blocks.length / PASSAGE) }, (_, place) =>
    blocks.slice(place * PASSAGE, (place + 1) * PASSAGE),
  );
}
