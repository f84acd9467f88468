// The same command with sqs-consumer. SQS_PORT has the port; the argument is the number of consumers,
// each of which handles ten messages at a time.
import { exec } from "node:child_process";
import { promisify } from "node:util";
import { SQSClient } from "@aws-sdk/client-sqs";
import { Consumer } from "sqs-consumer";

const run = promisify(exec);
const endpoint = `http://127.0.0.1:${process.env.SQS_PORT}`;
const sqs = new SQSClient({
  endpoint,
  region: "us-east-1",
  credentials: { accessKeyId: "x", secretAccessKey: "x" },
});
for (let n = 0; n < Number(process.argv[2]); n++) {
  Consumer.create({
    queueUrl: `${endpoint}/123456789012/consumer`,
    sqs,
    batchSize: 10,
    waitTimeSeconds: 20,
    handleMessageBatch: async (messages) => {
      await Promise.all(messages.map((message) => run(JSON.parse(message.Body).command)));
      return messages;
    },
  }).start();
}
