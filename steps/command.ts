import { Command, Send } from '@langchain/langgraph';
import type { RunCommand } from '../protocol/index.js';

/** Converts the command of a run's request to LangGraph's `Command`. */
export function toCommand(command: RunCommand): Command {
  const goto = command.goto === undefined ? undefined : Array.isArray(command.goto) ? command.goto : [command.goto];
  return new Command({
    ...(command.resume !== undefined && { resume: command.resume }),
    ...(command.update !== undefined && { update: command.update as Record<string, unknown> }),
    ...(goto !== undefined && {
      goto: goto.map((to) => (typeof to === 'string' ? to : new Send(to.node, 'args' in to ? to.args : to.input))),
    }),
  });
}
