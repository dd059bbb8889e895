/** A name resolver of @grpc/grpc-js: channels to `etcd:///<service>` follow its instances. */
import { experimental, status, type ChannelOptions } from "@grpc/grpc-js";

import { hostPortOf, type ServiceInstance } from "./instance.ts";
import type { ServiceRegistry } from "./registry.ts";
import type { ServiceSet } from "./service-set.ts";

export interface GrpcResolverOptions {
  /** Scheme of the targets. Default "etcd". */
  readonly scheme?: string;
  /**
   * How a channel spreads its calls, unless its own options have a `grpc.service_config`. Default
   * "round_robin".
   */
  readonly loadBalancing?: "round_robin" | "pick_first";
}

type Endpoints = Parameters<experimental.ResolverListener>[0];
type ServiceConfig = Parameters<experimental.ResolverListener>[2];

const channelServiceConfig = "grpc.service_config";

/**
 * From now on channels of this process whose target is `<scheme>:///<service>` connect to the
 * instances that the registry lists. A second call for a scheme replaces the first.
 */
export function registerGrpcResolver(
  registry: ServiceRegistry,
  options: GrpcResolverOptions = {},
): void {
  const { scheme = "etcd", loadBalancing = "round_robin" } = options;
  const config = experimental.statusOrFromValue({
    loadBalancingConfig: [{ [loadBalancing]: {} }],
    methodConfig: [],
  });
  class RegistryResolver extends ServiceResolver {
    constructor(
      target: experimental.GrpcUri,
      listener: experimental.ResolverListener,
      channel: ChannelOptions,
    ) {
      const isConfigured = channel[channelServiceConfig] !== undefined;
      super(registry, serviceOf(target), listener, isConfigured ? null : config);
    }

    static getDefaultAuthority(target: experimental.GrpcUri): string {
      return serviceOf(target);
    }
  }
  experimental.registerResolver(scheme, RegistryResolver);
}

function serviceOf({ path }: experimental.GrpcUri): string {
  return path.replace(/^\//, "");
}

class ServiceResolver implements experimental.Resolver {
  readonly #registry: ServiceRegistry;
  readonly #service: string;
  readonly #listener: experimental.ResolverListener;
  readonly #config: ServiceConfig;
  #set: ServiceSet | null = null;

  constructor(
    registry: ServiceRegistry,
    service: string,
    listener: experimental.ResolverListener,
    config: ServiceConfig,
  ) {
    this.#registry = registry;
    this.#service = service;
    this.#listener = listener;
    this.#config = config;
  }

  /** The set is live: after the first call there is nothing newer to fetch. */
  updateResolution(): void {
    if (this.#set !== null) return;
    const set = this.#registry.watch(this.#service);
    this.#set = set;
    let isKnown = false;
    set.on("change", (instances) => {
      isKnown = true;
      this.#tell(endpointsOf(this.#service, instances));
    });
    set.on("error", (error) => {
      // What was known before stands.
      if (!isKnown) this.#tell(unavailable(`Cannot read "${this.#service}": ${error.message}`));
    });
  }

  destroy(): void {
    void this.#set?.close();
    this.#set = null;
  }

  #tell(endpoints: Endpoints): void {
    if (this.#set !== null) this.#listener(endpoints, {}, endpoints.ok ? this.#config : null, "");
  }
}

function endpointsOf(service: string, instances: readonly ServiceInstance[]): Endpoints {
  const addresses = instances.flatMap(({ address }) => hostPortOf(address) ?? []);
  if (addresses.length === 0) return unavailable(`No instance of "${service}" is registered`);
  return experimental.statusOrFromValue(addresses.map((address) => ({ addresses: [address] })));
}

function unavailable(details: string): Endpoints {
  return experimental.statusOrFromError({ code: status.UNAVAILABLE, details });
}
