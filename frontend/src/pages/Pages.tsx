import { lazy, Suspense } from "react";
import { Route, Switch } from "wouter";
import { NewThreadPage } from "@/pages/NewThreadPage";
import { NotFoundPage } from "@/pages/NotFoundPage";
import { ThreadPage } from "@/pages/ThreadPage";

const ApprovalsPage = lazy(() => import("@/pages/ApprovalsPage"));
const TransportsPage = lazy(() => import("@/pages/TransportsPage"));

/** The page that the address names. */
export function Pages() {
  return (
    <Suspense>
      <Switch>
        <Route path="/" component={NewThreadPage} />
        <Route path="/threads/:id">{({ id }) => <ThreadPage key={id} threadId={id} />}</Route>
        <Route path="/approvals" component={ApprovalsPage} />
        <Route path="/transports" component={TransportsPage} />
        <Route component={NotFoundPage} />
      </Switch>
    </Suspense>
  );
}
