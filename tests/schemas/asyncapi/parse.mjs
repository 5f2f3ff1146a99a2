// Reads an AsyncAPI document from standard input; tells what the parser finds in it, and what it objects to.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const found = {
  diagnostics: diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity })),
  channels: document?.channels().all().map((channel) => ({
    address: channel.address(),
    messages: channel.messages().all().map((message) => message.name()),
  })),
  operations: document?.operations().all().map((operation) => ({
    id: operation.id(),
    action: operation.action(),
    channels: operation.channels().all().map((channel) => channel.address()),
    messages: operation.messages().all().map((message) => message.name()),
  })),
  messages: document?.components().messages().all().map((message) => ({
    name: message.name(),
    fields: Object.keys(message.payload()?.properties() ?? {}),
    examples: message.examples().all().length,
  })),
};
process.stdout.write(JSON.stringify(found));
