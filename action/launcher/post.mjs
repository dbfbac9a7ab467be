// What comes after every step, also after one whose launcher was killed.

import { tidy } from './tidy.mjs';

// GitHub kills what still runs five minutes after a job was called off. A deployment that is past its swap is brought
// to its end or taken back first, which takes a while; what is left of the time is for settling what did not end.
await tidy({ patience: 150_000, whole: 280_000 });
