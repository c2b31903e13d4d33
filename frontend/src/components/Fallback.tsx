import { Component, type ReactNode } from "react";

interface Props {
  instead: ReactNode;
  children: ReactNode;
}

/** Shows something else when its children cannot be shown, say because their script did not load. */
export class Fallback extends Component<Props, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError() {
    return { broken: true };
  }

  override render() {
    return this.state.broken ? this.props.instead : this.props.children;
  }
}
