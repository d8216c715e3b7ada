import { createRoot } from 'react-dom/client';
import { HumanMessage, type BaseMessage } from '@langchain/core/messages';
import { useStream } from '@langchain/react';
import { Chat, usePlace } from './chat.js';

/** The hook of LangChain's React package, which speaks protocol v2. */
function Page() {
  const { apiUrl, threadId, onThreadId } = usePlace();
  const stream = useStream<{ messages: BaseMessage[] }, { question: string }>({
    apiUrl,
    assistantId: 'chat',
    ...(threadId !== null && { threadId }),
    onThreadId,
  });
  return (
    <Chat
      messages={stream.messages.map(({ id, type, text }) => ({ id: id ?? '', type, text }))}
      isLoading={stream.isLoading}
      {...(stream.interrupt?.value && { question: stream.interrupt.value.question })}
      send={(text) => void stream.submit({ messages: [new HumanMessage(text)] })}
      answer={(value) => void stream.respond(value)}
    />
  );
}

createRoot(document.body.appendChild(document.createElement('div'))).render(<Page />);
