import { send } from "@/api/http";
import type { components } from "@/api/schema";

export type Attachment = components["schemas"]["Attachment"];
export type Attached = components["schemas"]["Attached"];

/** The scope that a caller needs to upload. */
export const UPLOAD_SCOPE = "attachments:write";
/** Files of one question, as the server has it. */
export const MOST_FILES = 10;

/** Uploads a file. Raises Problem for one that the server does not take. */
export async function upload(file: File, signal: AbortSignal): Promise<Attachment> {
  const form = new FormData();
  form.append("file", file, file.name);
  const response = await send("/api/attachments", { method: "POST", body: form, signal });
  return (await response.json()) as Attachment;
}

export const discard = (id: string) =>
  send(`/api/attachments/${id}`, { method: "DELETE", headers: { "content-type": "application/json" } });

export const addressOf = (id: string) => `/api/attachments/${id}`;

export const isImage = ({ media_type }: Attached) => media_type.startsWith("image/");
