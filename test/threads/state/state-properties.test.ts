import { describeStateProperties } from './state-properties.js';

describeStateProperties({ whole: 3, crashed: 4 }, 240_000);
