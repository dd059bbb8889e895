/**
 * A load balancing policy of grpc-js that lets its pick_first do the work and shows its owner what
 * it picked, so that calls can start on the connection itself. grpc-js's own way there
 * (intercepting call, resolving call, load balancing call, filters, each with promises) costs twice
 * as much as the call. Balancing over members is done above, in balancer.ts.
 */
import { connectivityState, experimental, Metadata } from "@grpc/grpc-js";

type Helper = ConstructorParameters<typeof experimental.ChildLoadBalancerHandler>[0];
type UpdateAddressList = experimental.ChildLoadBalancerHandler["updateAddressList"];
type AddressList = Parameters<UpdateAddressList>[0];
type ChannelOptions = Parameters<UpdateAddressList>[2];

/** A connection that is ready; calls are started on it. */
export type Subchannel = ReturnType<experimental.SubchannelInterface["getRealSubchannel"]>;

export interface PolicyOwner {
  /** `subchannel` is there exactly when the state is READY; `error` tells of TRANSIENT_FAILURE. */
  stateChanged(state: connectivityState, subchannel: Subchannel | null, error: string): void;
  /** Asked for at every attempt to connect: aborts it. */
  connectSignal(): AbortSignal;
}

const policyName = "quorate_direct";
/** Options under this prefix are for policies only. */
const ownerKey = `${experimental.SUBCHANNEL_ARGS_EXCLUDE_KEY_PREFIX}.quorate_owner`;

class DirectConfig {
  getLoadBalancerName(): string {
    return policyName;
  }
  toJsonObject(): object {
    return { [policyName]: {} };
  }
  static createFromJson(): DirectConfig {
    return new DirectConfig();
  }
}

const pickArguments = { metadata: new Metadata(), extraPickInfo: {} };

function picked(state: connectivityState, picker: experimental.Picker): Subchannel | null {
  if (state !== connectivityState.READY) return null;
  return picker.pick(pickArguments).subchannel?.getRealSubchannel() ?? null;
}

/** grpc-js hands addresses to net.connect as they are: a signal in them aborts the attempt. */
function withSignal(list: AddressList, owner: PolicyOwner): AddressList {
  if (!list.ok) return list;
  const value = list.value.map(({ addresses }) => ({
    addresses: addresses.map((address) => ({
      ...address,
      get signal(): AbortSignal {
        return owner.connectSignal();
      },
    })),
  }));
  return { ok: true, value };
}

class DirectPolicy {
  readonly #helper: Helper;
  #child: experimental.ChildLoadBalancerHandler | null = null;

  constructor(helper: Helper) {
    this.#helper = helper;
  }

  #start(owner: PolicyOwner): experimental.ChildLoadBalancerHandler {
    const helper = this.#helper;
    return new experimental.ChildLoadBalancerHandler(
      experimental.createChildChannelControlHelper(helper, {
        updateState(state, picker, error) {
          helper.updateState(state, picker, error);
          owner.stateChanged(state, picked(state, picker), error ?? "");
        },
      }),
    );
  }

  updateAddressList(
    list: AddressList,
    _config: unknown,
    options: ChannelOptions,
    note: string,
  ): boolean {
    const owner = options[ownerKey] as PolicyOwner;
    this.#child ??= this.#start(owner);
    const config = experimental.parseLoadBalancingConfig({ pick_first: {} });
    return this.#child.updateAddressList(withSignal(list, owner), config, options, note);
  }
  exitIdle(): void {
    this.#child?.exitIdle();
  }
  resetBackoff(): void {
    this.#child?.resetBackoff();
  }
  destroy(): void {
    this.#child?.destroy();
  }
  getTypeName(): string {
    return policyName;
  }
}

/** Options that make a grpc-js channel use the policy for this owner. */
export function directPolicy(owner: PolicyOwner): ChannelOptions {
  if (!experimental.isLoadBalancerNameRegistered(policyName)) {
    experimental.registerLoadBalancerType(policyName, DirectPolicy, DirectConfig);
  }
  return {
    "grpc.service_config": JSON.stringify({ loadBalancingConfig: [{ [policyName]: {} }] }),
    "grpc.service_config_disable_resolution": 1,
    [ownerKey]: owner,
  };
}
