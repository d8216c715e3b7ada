import { infoAnswer, okAnswer } from '../../protocol/schemas/index.js';
import { route } from '../http/route.js';

export const okRoute = route({
  method: 'get',
  path: '/ok',
  group: 'meta',
  tag: 'System',
  summary: 'Whether the API answers',
  answers: { 200: okAnswer },
  action: 'server.read',
  auth: 'public',
  handle(_context, { res }) {
    res.json({ ok: true });
  },
});

export const infoRoute = route({
  method: 'get',
  path: '/info',
  group: 'meta',
  tag: 'System',
  summary: 'Versions and supported features',
  answers: { 200: infoAnswer },
  action: 'server.read',
  auth: 'public',
  handle({ info }, { res }) {
    res.json({
      version: info.version,
      langgraph_js_version: info.langgraphVersion,
      context: 'js',
      flags: {
        assistants: true,
        crons: true,
        langsmith: false,
        langsmith_tracing_replicas: false,
        stream_namespaces: true,
      },
    });
  },
});
