// What tests/whole/test_shapes.py runs with the client for TypeScript: `send` or `listen`, with arguments as JSON.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type Content, Lobby, type types, webhooks } from "@lobby-desk/client";

const client = new Lobby(); // of LOBBY_URL and LOBBY_API_KEY
const [, , action, argument] = process.argv;
const given: unknown = JSON.parse(argument ?? "null");

interface Sending {
  channelId: string;
  to: string;
  contents: Content[];
  iceBreakers: types.IceBreaker[];
}

async function send({ channelId, to, contents, iceBreakers }: Sending): Promise<void> {
  for (const content of contents) await client.messages.send({ channelId, to, content });
  await client.instagram.setIceBreakers({ channelId, iceBreakers });
}

/** Print each event as a line, as it comes by webhook and as the desk returns it, until told to stop. */
async function listen(port: number): Promise<void> {
  const print = (by: string, { id, event, data }: { id: string; event: string; data: object }) =>
    console.log(JSON.stringify({ by, id, event, data }));
  let secret = "";
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    print("webhook", webhooks.verify(Buffer.concat(parts), request.headers, secret));
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const made = await client.endpoints.create({ url, events: ["*"] });
  secret = made.secret;
  const ending = new AbortController();
  process.once("SIGTERM", () => ending.abort());
  await client.events.listen((event) => print("listen", event), {
    signal: ending.signal,
    save: ({ cursor }) => {
      if (!listening && cursor) console.log(JSON.stringify({ by: "ready", id: "", event: "", data: {} }));
      listening = true;
    },
  });
  await client.endpoints.delete(made.endpoint.id);
  server.closeAllConnections();
  server.close();
}

let listening = false;
if (action === "send") await send(given as Sending);
else await listen(given as number);
