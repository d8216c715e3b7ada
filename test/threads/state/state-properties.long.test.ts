import { describeStateProperties } from './state-properties.js';

describeStateProperties({ whole: 24, crashed: 36 }, 1_800_000);
