import { useState } from 'react';

/** What a page shows, whichever hook it has it from. */
export interface ChatProps {
  messages: { id: string; type: string; text: string; versions?: string[]; version?: string }[];
  isLoading: boolean;
  question?: string;
  send(text: string): void;
  answer(value: string): void;
  edit(id: string, text: string): void;
  regenerate(id: string): void;
  choose(version: string): void;
}

export function Chat({ messages, isLoading, question, send, answer, edit, regenerate, choose }: ChatProps) {
  const [text, setText] = useState('');
  return (
    <main style={{ font: '16px system-ui', maxWidth: 640, margin: '2rem auto' }}>
      <ol data-testid="messages" style={{ listStyle: 'none', padding: 0 }}>
        {messages.map(({ id, type, text: said, versions = [], version }) => (
          <li
            key={id}
            data-type={type}
            style={{ padding: 8, margin: 4, background: type === 'human' ? '#e8eef8' : '#f4f4f4' }}
          >
            <span data-testid="text">{said}</span>
            {type === 'human' ? (
              <button data-testid="edit" onClick={() => edit(id, text)}>
                edit
              </button>
            ) : (
              <button data-testid="regenerate" onClick={() => regenerate(id)}>
                again
              </button>
            )}
            {versions.map((one) => (
              <button key={one} data-testid="version" disabled={one === version} onClick={() => choose(one)}>
                {versions.indexOf(one) + 1}
              </button>
            ))}
          </li>
        ))}
      </ol>
      {question !== undefined && (
        <p data-testid="question">
          {question} <button onClick={() => answer('yes')}>yes</button>
        </p>
      )}
      <form
        onSubmit={(event) => {
          event.preventDefault();
          send(text);
          setText('');
        }}
      >
        <input data-testid="input" value={text} onChange={(event) => setText(event.target.value)} />
        <button data-testid="send">send</button>
      </form>
      <p data-testid="status">{isLoading ? 'busy' : 'idle'}</p>
    </main>
  );
}

/** Address of the API, and the thread where one is begun; it is kept in the page's address, so that a reload finds it again. */
export function usePlace(): { apiUrl: string; threadId: string | null; onThreadId: (id: string) => void } {
  const query = new URLSearchParams(location.search);
  const [threadId, setThreadId] = useState(query.get('thread'));
  return {
    apiUrl: query.get('api') ?? '',
    threadId,
    onThreadId: (id) => {
      query.set('thread', id);
      history.replaceState(null, '', `?${query}`);
      setThreadId(id);
    },
  };
}
