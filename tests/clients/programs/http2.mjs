// Asks for one page through Node's own HTTP/2 client.
import { connect } from "node:http2";

const session = connect(process.env.URL);
session.on("error", (problem) => { console.error(problem); process.exit(1); });
const stream = session.request({ ":path": "/hello" });
stream.setEncoding("utf8");
stream.on("data", (text) => process.stdout.write(text));
stream.on("end", () => session.close());
