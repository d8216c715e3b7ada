import { createRoot } from 'react-dom/client';
import type { Message } from '@langchain/langgraph-sdk';
import { useStream } from '@langchain/langgraph-sdk/react';
import { Chat, usePlace } from './chat.js';

/** The hook of the SDK, as LangGraph's chat pages use it. */
function Page() {
  const { apiUrl, threadId, onThreadId } = usePlace();
  const stream = useStream<{ messages: Message[] }, { InterruptType: { question: string } }>({
    apiUrl,
    assistantId: 'chat',
    threadId,
    onThreadId,
    reconnectOnMount: true,
    fetchStateHistory: true,
  });
  const say = (text: string) => ({ messages: [{ type: 'human' as const, content: text }] });
  const before = (id: string) => {
    const message = stream.messages.find((one) => one.id === id);
    return (message && stream.getMessagesMetadata(message)?.firstSeenState?.parent_checkpoint) ?? null;
  };
  return (
    <Chat
      messages={stream.messages.map((message) => {
        const known = stream.getMessagesMetadata(message);
        return {
          id: message.id ?? '',
          type: message.type,
          text: typeof message.content === 'string' ? message.content : '',
          ...(known?.branchOptions && { versions: known.branchOptions, version: known.branch ?? '' }),
        };
      })}
      isLoading={stream.isLoading}
      {...(stream.interrupt?.value && { question: stream.interrupt.value.question })}
      send={(text) => void stream.submit(say(text), { streamSubgraphs: true, streamResumable: true })}
      answer={(resume) => void stream.submit(undefined, { command: { resume } })}
      edit={(id, text) => void stream.submit(say(text), { checkpoint: before(id) })}
      regenerate={(id) => void stream.submit(undefined, { checkpoint: before(id) })}
      choose={(version) => stream.setBranch(version)}
    />
  );
}

createRoot(document.body.appendChild(document.createElement('div'))).render(<Page />);
