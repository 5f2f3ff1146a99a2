// Fastify + Drizzle: a page of the latest picks with their things and reactions, with an entity tag.
// Tables `peer.*` hold columns, as such a service would have them; the statement is prepared once.
import { hash } from "node:crypto";
import { desc, eq, isNull, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { bigint, doublePrecision, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";
import pg from "pg";
import { makeApp, serve } from "./web.js";

const peer = pgSchema("peer");
const time = (name) => timestamp(name, { withTimezone: true, mode: "date" });
const pick = peer.table("pick", {
  pickId: uuid("pick_id").primaryKey(),
  authorId: uuid("author_id").notNull(),
  thingId: uuid("thing_id").notNull(),
  note: text("note").notNull(),
  rating: doublePrecision("rating"),
  tags: text("tags").array().notNull(),
  pickedAt: time("picked_at").notNull(),
  publishedAt: time("published_at").notNull(),
  editedAt: time("edited_at"),
  deletedAt: time("deleted_at"),
  version: bigint("version", { mode: "number" }).notNull(),
});
const thing = peer.table("thing", {
  thingId: uuid("thing_id").primaryKey(),
  ref: text("ref").notNull(),
  kind: text("kind").notNull(),
  title: text("title").notNull(),
});

const pool = new pg.Pool({ connectionString: process.env.PEER_DATABASE, max: 8 });
const latest = drizzle(pool)
  .select({
    pickId: pick.pickId,
    authorId: pick.authorId,
    note: pick.note,
    rating: pick.rating,
    tags: pick.tags,
    pickedAt: pick.pickedAt,
    publishedAt: pick.publishedAt,
    editedAt: pick.editedAt,
    version: pick.version,
    thingId: thing.thingId,
    ref: thing.ref,
    kind: thing.kind,
    title: thing.title,
    reactions: sql`(SELECT json_object_agg(c.kind, c.count ORDER BY c.kind) FROM peer.reaction_count c
      WHERE c.pick_id = ${pick.pickId} AND c.count > 0)`,
  })
  .from(pick)
  .innerJoin(thing, eq(thing.thingId, pick.thingId))
  .where(isNull(pick.deletedAt))
  .orderBy(desc(pick.publishedAt), desc(pick.pickId))
  .limit(sql.placeholder("limit"))
  .prepare("latest");

const string = { type: "string" };
const moment = { type: ["string", "null"], format: "date-time" };
const PICK = {
  type: "object",
  properties: {
    id: string,
    author: { type: "object", properties: { id: string } },
    note: string,
    rating: { type: ["number", "null"] },
    tags: { type: "array", items: string },
    picked_at: moment,
    published_at: moment,
    edited_at: moment,
    version: { type: "integer" },
    thing: { type: "object", properties: { id: string, ref: string, kind: string, title: string } },
    reactions: { type: "object", additionalProperties: { type: "integer" } },
  },
};
const PAGE = {
  type: "object",
  properties: { items: { type: "array", items: PICK }, next: { type: ["string", "null"] } },
};
const QUERY = {
  type: "object",
  additionalProperties: false,
  properties: { limit: { type: "string", pattern: "^([1-9][0-9]?|100)$" } },
};

function shown(row) {
  return {
    id: row.pickId,
    author: { id: row.authorId },
    note: row.note,
    rating: row.rating,
    tags: row.tags,
    picked_at: row.pickedAt,
    published_at: row.publishedAt,
    edited_at: row.editedAt,
    version: row.version,
    thing: { id: row.thingId, ref: row.ref, kind: row.kind, title: row.title },
    reactions: row.reactions ?? {},
  };
}

function cursor(row) {
  const packed = Buffer.allocUnsafe(25);
  packed.write("l", 0, "latin1");
  packed.writeBigInt64BE(BigInt(row.publishedAt.getTime()) * 1000n, 1);
  packed.write(row.pickId.replaceAll("-", ""), 9, "hex");
  return packed.toString("base64url");
}

const app = makeApp();
app.get("/v1/feeds/latest", { schema: { querystring: QUERY, response: { 200: PAGE } } }, async (request, reply) => {
  const limit = Number(request.query.limit ?? 20);
  const rows = await latest.execute({ limit: limit + 1 });
  const items = rows.slice(0, limit);
  reply.headers({ "cache-control": "public, no-cache", vary: "Authorization, Pickly-After" });
  return { items: items.map(shown), next: rows.length > limit ? cursor(items.at(-1)) : null };
});
app.addHook("onSend", (request, reply, payload, done) => {
  const tag = `W/"${hash("sha1", payload, "base64url")}"`;
  reply.header("etag", tag);
  if (request.headers["if-none-match"] === tag) {
    reply.code(304);
    return done(null, "");
  }
  done(null, payload);
});
await serve(app, () => pool.end());
