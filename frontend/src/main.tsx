import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { pauseBefore, readAgain } from "@/api/retry";
import { Broken } from "@/components/Broken";
import { Fallback } from "@/components/Fallback";
import { SessionProvider } from "@/hooks/session";
import { Pages } from "@/pages/Pages";
import "@/styles/index.css";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: readAgain,
      retryDelay: pauseBefore,
      staleTime: 5000,
    },
  },
});

createRoot(document.getElementById("root")!).render(
  <Fallback instead={<Broken />}>
    <QueryClientProvider client={queries}>
      <SessionProvider>
        <Pages />
      </SessionProvider>
    </QueryClientProvider>
  </Fallback>,
);
