// Fastify + kafkajs: validate a pick to publish, send the command with acks=all, answer 202.
// SENDER=each sends once per request, SENDER=batched sends what arrived while the last send was away.
import { randomBytes } from "node:crypto";
import { Kafka, logLevel, Partitioners } from "kafkajs";
import { v5 as uuid5, v7 as uuid7 } from "uuid";
import { makeApp, serve, tokenCheck } from "./web.js";

const TOPIC = "pick.commands";
const THINGS = uuid5("things/1", "5f0b8c1e-6d2a-5b7e-9a43-2f6c1d0e7b95");
const TEXT = "^[^\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f]*$";
const LINE = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u2028\\u2029]*$";
const KINDS = ["book", "film", "series", "album", "game", "podcast", "place", "article", "product", "page"];

const NEW_PICK = {
  type: "object",
  additionalProperties: false,
  required: ["thing"],
  properties: {
    thing: {
      type: "object",
      additionalProperties: false,
      required: ["ref", "kind", "title"],
      properties: {
        ref: {
          type: "string",
          maxLength: 2000,
          pattern: "^(imdb|movielens|doi|ean|osm|musicbrainz|wikidata):[A-Za-z0-9][A-Za-z0-9._/()-]*$",
        },
        kind: { type: "string", enum: KINDS },
        title: { type: "string", minLength: 1, maxLength: 300, pattern: LINE },
      },
    },
    note: { type: "string", maxLength: 2000, pattern: TEXT, default: "" },
    rating: { type: ["number", "null"], minimum: 0.5, maximum: 5, multipleOf: 0.5, default: null },
    tags: {
      type: "array",
      maxItems: 10,
      items: { type: "string", minLength: 1, maxLength: 40, pattern: LINE },
      default: [],
    },
    picked_at: { type: ["string", "null"], format: "date-time", default: null },
  },
};
const ACCEPTED = {
  type: "object",
  properties: { command_id: { type: "string" }, resource: { type: "string" }, status: { type: "string" } },
};

const kafka = new Kafka({ clientId: "peer", brokers: [process.env.PICKLY_KAFKA], logLevel: logLevel.ERROR });
const producer = kafka.producer({
  createPartitioner: Partitioners.DefaultPartitioner,
  allowAutoTopicCreation: false,
});
await producer.connect();

const sendEach = (message) => producer.send({ topic: TOPIC, acks: -1, messages: [message] });

let waiting = [];
let away = false;

async function flush() {
  away = true;
  while (waiting.length > 0) {
    const batch = waiting;
    waiting = [];
    try {
      await producer.send({ topic: TOPIC, acks: -1, messages: batch.map((each) => each.message) });
      for (const each of batch) each.resolve();
    } catch (error) {
      for (const each of batch) each.reject(error);
    }
  }
  away = false;
}

const sendBatched = (message) =>
  new Promise((resolve, reject) => {
    waiting.push({ message, resolve, reject });
    if (!away) flush();
  });

const send = process.env.SENDER === "batched" ? sendBatched : sendEach;

function commandOf(body, account) {
  const thing = { ...body.thing, title: body.thing.title.normalize("NFC").trim() };
  const thingId = uuid5(thing.ref, THINGS);
  return {
    pick_id: uuid5(thingId, account),
    author_id: account,
    thing_id: thingId,
    thing,
    note: body.note.normalize("NFC"),
    rating: body.rating,
    tags: [...new Set(body.tags.map((tag) => tag.normalize("NFC").trim().toLowerCase()))],
    picked_at: body.picked_at,
  };
}

function messageOf(command, id, request) {
  return {
    key: command.pick_id,
    value: JSON.stringify(command),
    headers: {
      ce_specversion: "1.0",
      ce_id: id,
      ce_type: "PublishPick",
      ce_source: "pickly/gateway",
      ce_time: new Date().toISOString(),
      ce_subject: `picks/${command.pick_id}`,
      ce_dataschema: "urn:pickly:PublishPick:0.1.0",
      "content-type": "application/json",
      ce_actor: request.account,
      ce_correlation: id,
      traceparent: `00-${request.id}-${randomBytes(8).toString("hex")}-00`,
    },
  };
}

const app = makeApp();
const options = {
  onRequest: tokenCheck(`${process.env.PICKLY_SECRETS}/token_ring.json`),
  schema: { body: NEW_PICK, response: { 202: ACCEPTED } },
};
app.post("/v1/picks", options, async (request, reply) => {
  const { body } = request;
  if (body.picked_at && Date.parse(body.picked_at) > Date.now()) {
    return reply.code(422).send({ title: "picked_at must not be in the future" });
  }
  const id = uuid7();
  const command = commandOf(body, request.account);
  await send(messageOf(command, id, request));
  reply.code(202).headers({
    "cache-control": "no-store",
    location: `/v1/commands/${id}`,
    "pickly-command": id,
  });
  return { command_id: id, resource: `/v1/picks/${command.pick_id}`, status: "pending" };
});
await serve(app, () => producer.disconnect());
