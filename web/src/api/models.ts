// The names that have a table in the configuration, and who answers each first.
import { useQuery } from "@tanstack/react-query";

import { type Schemas, answer, api } from "./client";

export type Model = Schemas["OpenAiModel"];
type Listed = Model | Schemas["AnthropicModel"];

export function useModels() {
  return useQuery({
    queryKey: ["models"],
    queryFn: async ({ signal }) => {
      const list = await answer(api.GET("/v1/models", { signal }));
      return (list.data as Listed[]).filter((model) => "owned_by" in model);
    },
    staleTime: 60_000,
  });
}
