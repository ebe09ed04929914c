// Paystack's Node SDK as npm has it. Reads calls, a line of JSON each, and writes what becomes of them, a line each.
"use strict";

const { createRequire } = require("node:module");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const readline = require("node:readline");

const [home, sandbox] = process.argv.slice(2);
// The address is a constant inside the SDK, and the only thing that is not Paystack's here.
https.request = (_paystack, options, answered) => http.request(sandbox, options, answered);
const { Paystack } = createRequire(path.join(home, "package.json"))("@paystack/paystack-sdk");

const DATES = ["from", "to", "delivery_date"];
const withDates = (name, value) => (DATES.includes(name) ? new Date(value) : value);

async function called({ key, resource, operation, fields }) {
  try {
    return { answer: await new Paystack(key)[resource][operation](fields) };
  } catch (error) {
    return { thrown: error.name, message: error.message, code: error.code };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await called(JSON.parse(line, withDates))));
  }
})();
