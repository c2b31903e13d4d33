import type {} from "remark-parse"; // declares what the data of a processor may hold
import { gfmAutolinkLiteralFromMarkdown } from "mdast-util-gfm-autolink-literal";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item";
import { gfmAutolinkLiteral } from "micromark-extension-gfm-autolink-literal";
import { gfmStrikethrough } from "micromark-extension-gfm-strikethrough";
import { gfmTable } from "micromark-extension-gfm-table";
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item";
import type { Processor } from "unified";

/** Tables, task lists, ~~strikethrough~~ and bare links. remark-gfm also brings a writer of Markdown: 15 kB more. */
export function extensions(this: Processor): undefined {
  const data = this.data();
  (data.micromarkExtensions ??= []).push(
    gfmTable(),
    gfmTaskListItem(),
    gfmStrikethrough({ singleTilde: false }),
    gfmAutolinkLiteral(),
  );
  (data.fromMarkdownExtensions ??= []).push(
    gfmTableFromMarkdown(),
    gfmTaskListItemFromMarkdown(),
    gfmStrikethroughFromMarkdown(),
    gfmAutolinkLiteralFromMarkdown(),
  );
}
