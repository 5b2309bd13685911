// SPDX-License-Identifier: MIT OR Apache-2.0
// Worker threads that share memory, wait for each other and use the pool of threads for cryptography; prints what came out.
'use strict';
const { Worker, isMainThread, workerData, parentPort } = require('node:worker_threads');
const { pbkdf2, scrypt, createHash } = require('node:crypto');
const { promisify } = require('node:util');
const zlib = require('node:zlib');

const WORKERS = 4;

// A lock of three states in shared memory: 0 free, 1 held, 2 held and somebody may wait.
function lock(words) {
  let state = Atomics.compareExchange(words, 0, 0, 1);
  while (state !== 0) {
    if (state === 2 || Atomics.compareExchange(words, 0, 1, 2) !== 0) Atomics.wait(words, 0, 2);
    state = Atomics.compareExchange(words, 0, 0, 2);
  }
}

function unlock(words) {
  if (Atomics.exchange(words, 0, 0) === 2) Atomics.notify(words, 0, 1);
}

async function work({ number, rounds, buffer }) {
  const words = new Int32Array(buffer);
  for (let i = 0; i < rounds; i++) {
    Atomics.add(words, 1, 1);
    lock(words);
    words[2] += 1; // not atomic: the lock guards it
    unlock(words);
  }
  const digest = createHash('sha256');
  for (let i = 0; i < rounds / 500; i++) {
    const input = Buffer.alloc(20000, `worker ${number} round ${i} `);
    const results = await Promise.all([
      promisify(pbkdf2)(`password ${i}`, `salt ${number}`, 200, 32, 'sha256'),
      promisify(scrypt)(`password ${i}`, `salt ${number}`, 32, { N: 256 }),
      promisify(zlib.deflate)(input).then(promisify(zlib.inflate)),
    ]);
    if (!results[2].equals(input)) throw new Error(`worker ${number} unpacked something else in round ${i}`);
    for (const result of results) digest.update(result);
  }
  return digest.digest('hex');
}

async function main() {
  const rounds = Number(process.argv[2]);
  const buffer = new SharedArrayBuffer(12);
  const workers = [...Array(WORKERS).keys()].map((number) => new Promise((resolve, reject) => {
    const worker = new Worker(__filename, { workerData: { number, rounds, buffer } });
    let result = null;
    worker.on('message', (message) => { result = message; });
    worker.on('error', reject);
    worker.on('exit', (status) => (status === 0 ? resolve(result) : reject(new Error(`status ${status}`))));
  }));
  const digests = await Promise.all(workers);
  const words = new Int32Array(buffer);
  console.log(JSON.stringify({ atomic: words[1], guarded: words[2], digests }));
}

if (isMainThread) main();
else work(workerData).then((digest) => parentPort.postMessage(digest));
