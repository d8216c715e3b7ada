import * as graphs from './assistants/graphs.js';
import * as assistants from './assistants/routes.js';
import * as crons from './crons/routes.js';
import type { Route } from './http/route.js';
import { commandsRoute, eventsRoute } from './protocol-v2/routes.js';
import { batchRoute } from './runs/batch.js';
import * as cancel from './runs/cancel.js';
import * as newRuns from './runs/create.js';
import * as runs from './runs/routes.js';
import * as store from './store/routes.js';
import { infoRoute, okRoute } from './system/routes.js';
import * as search from './threads/search.js';
import * as state from './threads/state.js';
import { streamRoute } from './threads/stream.js';
import * as threads from './threads/routes.js';

/**
 * Every route of the API, in the order in which the page with the API reference lists the routes.
 */
export const ROUTES: readonly Route[] = [
  okRoute,
  infoRoute,

  assistants.createRoute,
  assistants.searchRoute,
  assistants.countRoute,
  assistants.getRoute,
  assistants.patchRoute,
  assistants.deleteRoute,
  assistants.versionsRoute,
  assistants.latestRoute,
  graphs.graphRoute,
  graphs.schemasRoute,
  graphs.subgraphsRoute,
  graphs.subgraphRoute,

  threads.createRoute,
  search.searchRoute,
  search.countRoute,
  threads.getRoute,
  threads.patchRoute,
  threads.deleteRoute,
  threads.pruneRoute,
  threads.copyRoute,
  streamRoute,

  state.getStateRoute,
  state.updateStateRoute,
  state.patchStateRoute,
  state.getStateAtRoute,
  state.stateAtRoute,
  state.getHistoryRoute,
  state.historyRoute,

  newRuns.createRoute,
  newRuns.createAndWaitRoute,
  newRuns.createAndStreamRoute,
  runs.listRoute,
  runs.getRoute,
  runs.deleteRoute,
  runs.joinRoute,
  runs.streamRoute,
  cancel.cancelRoute,
  cancel.cancelManyRoute,

  newRuns.statelessCreateRoute,
  newRuns.statelessWaitRoute,
  newRuns.statelessStreamRoute,
  batchRoute,
  runs.statelessJoinStreamRoute,

  crons.createRoute,
  crons.createOnThreadRoute,
  crons.searchRoute,
  crons.countRoute,
  crons.getRoute,
  crons.patchRoute,
  crons.deleteRoute,
  crons.backfillRoute,

  commandsRoute,
  eventsRoute,

  store.putRoute,
  store.getRoute,
  store.deleteRoute,
  store.searchRoute,
  store.namespacesRoute,
];
