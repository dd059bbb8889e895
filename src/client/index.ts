/** What `quorate-client` and `quorate/client` offer. */
export { EtcdClient } from "./client.ts";
export type { ClientOptions, KeepAliveOptions, Pem, TlsOptions } from "./client-options.ts";
export type { Caller, CallStream, Method, RetryRule, StreamReceiver } from "./caller.ts";
export { compare } from "./compare.ts";
export { op } from "./op.ts";
export * from "./errors.ts";
export type * from "./types.ts";
export { InvalidInputError } from "./input.ts";
export type { EndpointOptions } from "./method.ts";
export type {
  AuthenticateResult,
  AuthStatusResult,
  Permission,
  PermissionType,
  RoleResult,
  RolesResult,
  UsersResult,
} from "../codec/client/auth.ts";
export type { Member, MemberAddResult, MemberListResult } from "../codec/client/cluster.ts";
export type {
  CampaignResult,
  LeaderKey,
  LeaderResult,
  LockResult,
} from "../codec/client/lock-election.ts";
export type {
  AlarmMember,
  AlarmResult,
  AlarmType,
  DowngradeInfo,
  DowngradeResult,
  HashKvResult,
  HashResult,
  SnapshotChunk,
  StatusResult,
} from "../codec/client/maintenance.ts";
export { SnapshotDamagedError } from "./snapshot.ts";
export type { SavedSnapshot, SaveOptions, Snapshot, SnapshotProgress } from "./snapshot.ts";
export { KubernetesKv } from "./wrap/kubernetes.ts";
export type {
  ListOptions,
  ListResult,
  ObjectResult,
  OptimisticOptions,
  OptimisticResult,
  RevisionOptions,
} from "./wrap/kubernetes.ts";
export { LeasingKv } from "./wrap/leasing.ts";
export type { LeasingOptions } from "./wrap/leasing-keys.ts";
export { MirrorSyncer } from "./wrap/mirror.ts";
export { namespace } from "./wrap/namespace.ts";
export { OrderingKv, StaleReadError } from "./wrap/ordering.ts";
export type { OrderingOptions } from "./wrap/ordering.ts";
export { Session } from "./lease/session.ts";
export type { SessionOptions } from "./lease/session.ts";
export { Barrier } from "./recipes/barrier.ts";
export { DoubleBarrier, TooManyClientsError } from "./recipes/double-barrier.ts";
export { Election, observeElection } from "./recipes/election.ts";
export type { Leadership } from "./recipes/election.ts";
export { Mutex } from "./recipes/mutex.ts";
export type { Lock } from "./recipes/mutex.ts";
export { PriorityQueue, Queue } from "./recipes/queue.ts";
export { RwMutex } from "./recipes/rw-mutex.ts";
export { stm, StmConflictError } from "./recipes/stm.ts";
export type { Isolation, StmOptions, StmResult, StmTransaction } from "./recipes/stm.ts";
export type { RecipeSession, WaitOptions } from "./recipes/wait.ts";
export { ServiceRegistry } from "./discovery/registry.ts";
export type { RegistryOptions, ServiceOptions } from "./discovery/registry.ts";
export type { ServiceInstance } from "./discovery/instance.ts";
export type {
  HealthCheck,
  Registration,
  RegistrationOptions,
  RegistrationState,
} from "./discovery/registration.ts";
export type { ServiceSet } from "./discovery/service-set.ts";
export { registerGrpcResolver } from "./discovery/grpc-resolver.ts";
export type { GrpcResolverOptions } from "./discovery/grpc-resolver.ts";
export { NoInstanceError, undiciDiscovery } from "./discovery/undici.ts";
export type {
  UndiciDiscovery,
  UndiciHandler,
  UndiciInterceptor,
  UndiciOptions,
  UndiciRequest,
} from "./discovery/undici.ts";
export { ConfigError, HotConfig } from "./config/hot-reload.ts";
export type { ConfigOptions } from "./config/hot-reload.ts";
export { LiveRange } from "./live-range.ts";
export type { LiveRangeListener } from "./live-range.ts";
