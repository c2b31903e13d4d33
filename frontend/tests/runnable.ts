import type { Runnable } from "@/api/events";

/** A runnable as the server lists it, which takes a text and returns one. */
export const CHAT: Runnable = {
  name: "chat",
  path: "/chat",
  description: "",
  example: "",
  input_field: "input",
  form: null,
  form_first: false,
  answer_field: null,
  adds_up: true,
  takes_files: true,
  default: true,
  output: "text",
};
