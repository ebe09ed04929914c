// Runs Paystack's unmodified Node SDK. Reads calls and writes results, as one line of JSON each.
"use strict";

const { createRequire } = require("node:module");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const readline = require("node:readline");

const [home, sandbox] = process.argv.slice(2);
// The address is a constant inside the SDK, so requests are redirected to the sandbox here. Nothing else is changed.
https.request = (_paystack, options, onResponse) => http.request(sandbox, options, onResponse);
const { Paystack } = createRequire(path.join(home, "package.json"))("@paystack/paystack-sdk");

const DATES = ["from", "to", "delivery_date"];
const withDates = (name, value) => (DATES.includes(name) ? new Date(value) : value);

async function call({ key, resource, operation, fields }) {
  try {
    return { answer: await new Paystack(key)[resource][operation](fields) };
  } catch (error) {
    return { thrown: error.name, message: error.message, code: error.code };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await call(JSON.parse(line, withDates))));
  }
})();
