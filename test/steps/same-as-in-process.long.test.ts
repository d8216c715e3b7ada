import { compareAll } from './same-as.js';

// LangGraph produces one stream and splits it by mode. So these sets, and that of the normal test,
// stand for all combinations of modes. A restart repeats events; `events` has kinds of its own.
compareAll([{ modes: ['events'], restarts: true }, { modes: ['messages'] }, { modes: ['updates'] }]);
