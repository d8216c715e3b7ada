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
      edit={(id, text) => {
        const message = stream.messages.find((one) => one.id === id);
        const before = message && stream.getMessagesMetadata(message)?.firstSeenState?.parent_checkpoint;
        void stream.submit(say(text), { checkpoint: before ?? null });
      }}
      choose={(version) => stream.setBranch(version)}
    />
  );
}

createRoot(document.body.appendChild(document.createElement('div'))).render(<Page />);
