import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { HumanMessage, type BaseMessage } from '@langchain/core/messages';
import { useStream } from '@langchain/react';
import { Chat, usePlace } from './chat.js';

interface State {
  messages: BaseMessage[];
}

/** The hook of LangChain's React package, which speaks protocol v2. */
function Page() {
  const { apiUrl, threadId, onThreadId } = usePlace();
  const stream = useStream<State, { question: string }>({
    apiUrl,
    assistantId: 'chat',
    ...(threadId !== null && { threadId }),
    onThreadId,
  });
  const branches = useBranches(stream.client, threadId, stream.isLoading);
  return (
    <Chat
      messages={stream.messages.map(({ id, type, text }, n) => ({
        id: id ?? '',
        type,
        text,
        ...(n === stream.messages.length - 1 && branches.length > 1 && { versions: branches }),
      }))}
      isLoading={stream.isLoading}
      {...(stream.interrupt?.value && { question: stream.interrupt.value.question })}
      send={(text) => void stream.submit({ messages: [new HumanMessage(text)] })}
      answer={(value) => void answer(value)}
      edit={(id, text) => void fork(id, { messages: [new HumanMessage(text)] })}
      regenerate={(id) => void fork(id, null)}
      choose={(checkpointId) => void goBack(checkpointId)}
    />
  );

  /**
   * By the id of the question shown. Without it the hook answers what its event stream has brought, and
   * right after a reload it shows a question of the state before that.
   */
  async function answer(value: string): Promise<void> {
    const interruptId = stream.interrupt?.id;
    await stream.respond(value, interruptId === undefined ? undefined : { interruptId });
  }

  /** Of `useMessageMetadata`, which is meant for this, the package's own SDK (1.11.0) forgets where a message came from at the next step. */
  async function fork(id: string, input: { messages: BaseMessage[] } | null): Promise<void> {
    const states = threadId === null ? [] : await stream.client.threads.getHistory<State>(threadId, { limit: 100 });
    const first = states.findLast(({ values }) => values.messages.some((message) => message.id === id));
    const forkFrom = first?.parent_checkpoint?.checkpoint_id;
    if (!forkFrom) throw new Error(`it is not known where message ${id} came from`);
    await stream.submit(input, { forkFrom });
  }

  /** The hook has no branches; LangGraph's way is a copy of the other branch's end, which is then the thread's newest state. */
  async function goBack(checkpointId: string): Promise<void> {
    if (threadId === null) return;
    await stream.client.threads.updateState(threadId, { values: null, checkpointId, asNode: '__copy__' });
    location.reload();
  }
}

type StateClient = ReturnType<typeof useStream>['client'];

/** Checkpoints that nothing comes after, the oldest first; looked up when nothing is running. */
function useBranches(client: StateClient, threadId: string | null, isLoading: boolean): string[] {
  const [branches, setBranches] = useState<string[]>([]);
  useEffect(() => {
    if (threadId === null || isLoading) return;
    void client.threads.getHistory(threadId, { limit: 100 }).then((states) => {
      const parents = new Set(states.map((state) => state.parent_checkpoint?.checkpoint_id));
      const ids = states.map(({ checkpoint }) => checkpoint.checkpoint_id ?? '');
      setBranches(ids.filter((id) => !parents.has(id)).reverse());
    });
  }, [threadId, isLoading]);
  return branches;
}

createRoot(document.body.appendChild(document.createElement('div'))).render(<Page />);
