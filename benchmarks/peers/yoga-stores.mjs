// The renders and quotas of `yoga-http.mjs`, in memory or in MongoDB.
import { randomBytes } from "node:crypto";
import { MongoClient } from "mongodb";

export const LIMIT = 1e7;
const HOUR_MS = 36e5;

/** Ids sort by the time of creation, as those of Rendercast. */
const newId = () => Date.now().toString(16).padStart(12, "0") + randomBytes(10).toString("hex");

const windowStart = () => Math.floor(Date.now() / HOUR_MS) * HOUR_MS;

export const resetsAt = () => new Date(windowStart() + HOUR_MS);

const newRender = (owner, props) => ({ _id: newId(), owner, props, status: "QUEUED", progress: 0, createdAt: new Date() });

class MemoryStore {
  #renders = new Map(); // id → render
  #owners = new Map(); // owner → ids
  #used = new Map(); // owner → units

  async used(owner) {
    return this.#used.get(owner) ?? 0;
  }

  async list(owner, first) {
    const ids = this.#owners.get(owner) ?? [];
    return ids.slice(-first).reverse().map((id) => this.#renders.get(id));
  }

  async get(id, owner) {
    const render = this.#renders.get(id);
    return render?.owner === owner ? render : null;
  }

  async start(owner, props) {
    const used = (this.#used.get(owner) ?? 0) + 1;
    if (used > LIMIT) return null;
    const render = newRender(owner, props);
    this.#used.set(owner, used);
    this.#renders.set(render._id, render);
    if (!this.#owners.has(owner)) this.#owners.set(owner, []);
    this.#owners.get(owner).push(render._id);
    return { render, used };
  }
}

class MongoStore {
  #client;
  #renders;
  #quota;

  constructor(client) {
    this.#client = client;
    this.#renders = client.db().collection("renders");
    this.#quota = client.db().collection("quota");
  }

  async used(owner) {
    const found = await this.#quota.findOne({ _id: this.#window(owner) });
    return found?.used ?? 0;
  }

  list(owner, first) {
    return this.#renders.find({ owner }).sort({ _id: -1 }).limit(first).toArray();
  }

  get(id, owner) {
    return this.#renders.findOne({ _id: id, owner });
  }

  /** Takes a unit of quota and stores the render in one transaction, as Rendercast does. */
  async start(owner, props) {
    const render = newRender(owner, props);
    return this.#client.withSession((session) =>
      session.withTransaction(async () => {
        const taken = await this.#quota.findOneAndUpdate(
          { _id: this.#window(owner) },
          { $inc: { used: 1 } },
          { upsert: true, returnDocument: "after", session },
        );
        if (taken.used > LIMIT) {
          await session.abortTransaction();
          return null;
        }
        await this.#renders.insertOne(render, { session });
        return { render, used: taken.used };
      }),
    );
  }

  #window(owner) {
    return `${windowStart()} ${owner}`;
  }
}

export async function openStore(mongodbUrl) {
  if (!mongodbUrl) return new MemoryStore();
  const client = await new MongoClient(mongodbUrl, { w: "majority" }).connect();
  await client.db().collection("renders").createIndex({ owner: 1, _id: -1 });
  return new MongoStore(client);
}
