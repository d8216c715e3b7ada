import { describeStateProperties } from './state-properties.js';

describeStateProperties({ complete: 3, crashed: 4 }, 240_000);
