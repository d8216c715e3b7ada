import {
  itemAnswer,
  itemDelete,
  itemGetQuery,
  itemPut,
  itemSearch,
  itemsAnswer,
  namespaceList,
  namespacesAnswer,
} from '../../protocol/schemas/index.js';
import type { Operation } from './operation.js';

/** LangGraph's store. */
export const STORE_OPERATIONS: readonly Operation[] = [
  {
    method: 'put',
    path: '/store/items',
    tag: 'Store',
    summary: 'Put an item, or write over it',
    body: itemPut,
    answers: { 204: 'nothing' },
  },
  {
    method: 'get',
    path: '/store/items',
    tag: 'Store',
    summary: 'An item; null where there is none',
    query: itemGetQuery,
    answers: { 200: itemAnswer.nullable() },
    refusals: [404],
  },
  {
    method: 'delete',
    path: '/store/items',
    tag: 'Store',
    summary: 'Delete an item, whether it is there or not',
    body: itemDelete,
    answers: { 204: 'nothing' },
    refusals: [404],
  },
  {
    method: 'post',
    path: '/store/items/search',
    tag: 'Store',
    summary: 'Find items under a namespace',
    body: itemSearch,
    answers: { 200: itemsAnswer },
  },
  {
    method: 'post',
    path: '/store/namespaces',
    tag: 'Store',
    summary: 'Namespaces that hold items',
    body: namespaceList,
    answers: { 200: namespacesAnswer },
  },
];
