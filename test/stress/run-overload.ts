/** `npm run test:stress -- overload`: 50 connections write 2,000 requests each before they read. Prints how many were answered and refused. */
import { stressOverload } from './overload.js';

const CONNECTIONS = 50;
const REQUESTS = 2000;
const MEBIBYTE = 1024 * 1024;

const { answered, refused, wrong, grownBytes } = await stressOverload({
  connections: CONNECTIONS,
  requestsPerConnection: REQUESTS,
});
console.log(
  `${answered} answered, ${refused} refused, ${wrong} wrong, memory +${Math.round(grownBytes / MEBIBYTE)} MiB`,
);
process.exitCode = wrong === 0 && answered + refused === CONNECTIONS * REQUESTS ? 0 : 1;
