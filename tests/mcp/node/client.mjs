// Calls tools through the TypeScript SDK: node client.mjs WHICH < {"server": {command, args, env}, "steps": [[tool, arguments], …]}
// WHICH is "v1" (the SDK of 2025-11-25), "legacy" or "auto" (the one after it). Prints {tools, results} as JSON.
import { readFileSync } from "node:fs";

const which = process.argv[2];
const { server, steps } = JSON.parse(readFileSync(0, "utf-8"));
const me = { name: "typescript", version: which };

async function connect() {
  if (which === "v1") {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StdioClientTransport } = await import("@modelcontextprotocol/sdk/client/stdio.js");
    const client = new Client(me);
    await client.connect(new StdioClientTransport(server));
    return client;
  }
  const { Client } = await import("@modelcontextprotocol/client");
  const { StdioClientTransport } = await import("@modelcontextprotocol/client/stdio");
  const client = new Client(me, which === "auto" ? { versionNegotiation: { mode: "auto" } } : {});
  await client.connect(new StdioClientTransport(server));
  return client;
}

const client = await connect();
const { tools } = await client.listTools(); // with it the client learns the output schemas, and checks results by them
const results = [];
for (const [name, args] of steps) {
  const result = await client.callTool({ name, arguments: args });
  results.push({ name, error: result.isError ?? false, data: result.structuredContent });
}
await client.close();
console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), results }));
