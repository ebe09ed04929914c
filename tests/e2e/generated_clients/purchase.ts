// A purchase with the types that openapi-typescript generates from docs/openapi/shop.json. tsc checks this file, and Node runs it.

import createClient from "openapi-fetch";
import type { components, paths } from "./shop.ts";

const env = process.env as Record<string, string>;
const headers = { Authorization: `Bearer ${env.TOKEN}` };
const catalog = createClient<paths>({ baseUrl: env.CATALOG_URL, headers });
const payments = createClient<paths>({ baseUrl: env.PAYMENTS_URL, headers });

type Order = components["schemas"]["OrderView"];

async function placeOrder(quantity: number): Promise<Order | "out_of_stock"> {
  const { data, error } = await catalog.POST("/catalog/orders", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { items: [{ product_id: env.PRODUCT_ID!, quantity }] },
  });
  if (data) return data;
  switch (error.code) {
    case "out_of_stock": {
      const left: number | undefined = error.products?.[0]?.left;
      if (left !== 3) throw new Error(`left: ${left}`);
      return error.code;
    }
    case "invalid_request":
      throw new Error(error.errors?.map((each) => `${each.in}: ${each.message}`).join());
    // @ts-expect-error -- no operation has this code, so a misspelled code does not compile
    case "out_of_stokc":
      throw new Error("never");
    default:
      throw new Error(error.detail);
  }
}

async function startPayment(order: Order) {
  return payments.POST("/payments", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { order_id: order.id },
  });
}

if ((await placeOrder(4)) !== "out_of_stock") throw new Error("an order of 4 of 3 was placed");
const order = await placeOrder(1);
if (order === "out_of_stock") throw new Error("out of stock");

const { data: payment, error } = await startPayment(order);
if (!payment) throw new Error(error.code);
await fetch(`${env.SANDBOX_URL}/sandbox/transactions/${payment.reference}/pay`, { method: "POST" });

let status: Order["status"] = order.status;
for (const started = Date.now(); status === "pending" && Date.now() < started + 30_000; ) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const found = await catalog.GET("/catalog/orders/{order_id}", { params: { path: { order_id: order.id } } });
  if (found.error?.code === "order_not_found") throw new Error("the order is gone");
  status = found.data?.status ?? status;
}

const again = await startPayment(order);
if (again.error?.code !== "order_not_payable") throw new Error(`a delivered order can be paid: ${again.error?.code}`);
console.log(status);
