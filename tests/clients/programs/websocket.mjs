// Says something through a WebSocket, in text and in bytes, and prints what comes back.
const socket = new WebSocket(process.env.URL.replace("https:", "wss:") + "/socket");
socket.binaryType = "arraybuffer";
socket.onerror = (event) => { console.error(event.message ?? "The connection failed."); process.exit(1); };
socket.onopen = () => socket.send("a text");
socket.onmessage = (event) => {
  if (typeof event.data === "string") {
    console.log(event.data);
    socket.send(new Uint8Array([1, 2, 3]));
  } else {
    console.log([...new Uint8Array(event.data)].join(" "));
    socket.close(1000);
  }
};
socket.onclose = (event) => { console.log("closed", event.code); process.exit(event.code === 1000 ? 0 : 1); };
