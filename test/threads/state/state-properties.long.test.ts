import { describeStateProperties } from './state-properties.js';

describeStateProperties({ complete: 24, crashed: 36 }, 1_800_000);
