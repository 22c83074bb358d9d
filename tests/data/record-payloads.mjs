// Records remotion-start-payloads.jsonl: what Remotion's own client sends to Lambda for each format and option.
//
// Documentation of that file; no test runs it. In an empty folder, with Node 20:
//   npm install @remotion/lambda-client@4.0.527
//   node record-payloads.mjs > remotion-start-payloads.jsonl
// The client's public functions are called with a local server in place of Lambda, which keeps the request.
import {createServer} from 'node:http';

const BUCKET = 'remotionlambda-useast1-abcdefghij';
const FUNCTION = 'remotion-render-4-0-527-mem2048mb-disk2048mb-120sec';
const PROPS = {title: 'Hi {"}', scenes: [{text: 'a', seconds: 3}]}; // which last 90 frames at 30 fps
const PROVIDER = {
  endpoint: 'https://account.r2.cloudflarestorage.com',
  accessKeyId: 'output-key',
  secretAccessKey: 'output-secret',
  region: 'auto',
  forcePathStyle: false,
};
const EXTENSIONS = {h264: 'mp4', h265: 'mp4', vp8: 'webm', vp9: 'webm', prores: 'mov'};

const requests = [];
const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    requests.push(JSON.parse(Buffer.concat(parts).toString()));
    const streamed = request.url.endsWith('/response-streaming-invocations');
    response.writeHead(streamed ? 400 : 200, {'content-type': 'application/json'});
    response.end(JSON.stringify({type: 'success', renderId: 'abcdefghij', bucketName: BUCKET, compositions: []}));
  });
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
Object.assign(process.env, {
  AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${server.address().port}`,
  REMOTION_AWS_ACCESS_KEY_ID: 'key',
  REMOTION_AWS_SECRET_ACCESS_KEY: 'secret',
});
const client = await import('@remotion/lambda-client');

const common = {
  region: 'us-east-1',
  functionName: FUNCTION,
  serveUrl: `https://${BUCKET}.s3.us-east-1.amazonaws.com/sites/mine/index.html`,
  forceBucketName: BUCKET,
  inputProps: PROPS,
  logLevel: 'warn',
};
const outName = (extension, provider) => ({
  bucketName: provider ? 'outputs' : BUCKET,
  key: `rendercast/01m817gzatj1v633w9kvyqtevh-1.${extension}`,
  ...(provider ? {s3OutputProvider: provider} : {}),
});

// An option of Rendercast, as options of the client.
const VIDEO = {
  width: (value) => ({forceWidth: value}),
  height: (value) => ({forceHeight: value}),
  fps: (value) => ({forceFps: value, forceDurationInFrames: Math.round((90 * value) / 30)}),
  scale: (value) => ({scale: value}),
  crf: (value) => ({crf: value}),
  bitrate_kbps: (value) => ({videoBitrate: `${value}k`}),
  muted: (value) => ({muted: value}),
  prores_profile: (value) =>
    value.startsWith('4444') ? {proResProfile: value, pixelFormat: 'yuv444p10le'} : {proResProfile: value},
  every_nth_frame: (value) => ({everyNthFrame: value}),
  loops: (value) => ({numberOfGifLoops: value}),
};
const ALPHA = {
  vp8: {pixelFormat: 'yuva420p'},
  vp9: {pixelFormat: 'yuva420p'},
  prores: {proResProfile: '4444', pixelFormat: 'yuva444p10le'},
};
const STILL = {...VIDEO, frame: (value) => ({frame: value}), quality: (value) => ({jpegQuality: value})};

const SIZES = [{width: 360}, {height: 640}, {width: 360, height: 640}, {scale: 0.5}, {scale: 2}];
const VIDEOS = [{}, ...SIZES, {fps: 60}, {fps: 23.976}, {muted: true}];
const COMPRESSED = (crf) => [...VIDEOS, {crf}, {bitrate_kbps: 5000}];
const TRANSPARENT = [{transparent: true}, {transparent: true, scale: 0.5, fps: 15}];
const PROFILES = ['4444-xq', '4444', 'hq', 'standard', 'light', 'proxy'];
const MEDIA = {
  h264: COMPRESSED(1),
  h265: COMPRESSED(0),
  vp8: [...COMPRESSED(4), ...TRANSPARENT],
  vp9: [...COMPRESSED(0), ...TRANSPARENT],
  prores: [
    ...VIDEOS,
    ...TRANSPARENT,
    ...PROFILES.map((prores_profile) => ({prores_profile})),
    {prores_profile: '4444-xq', transparent: true},
  ],
  gif: [{}, ...SIZES, {every_nth_frame: 2}, {loops: 0}, {loops: 3}, {every_nth_frame: 3, loops: 1, scale: 0.5}],
  mp3: [{}, {bitrate_kbps: 128}],
  aac: [{}, {bitrate_kbps: 320}],
  wav: [{}],
};
const FRAMES = [{frame: 12}, {frame: -1}];
const STILLS = {
  png: [{}, ...SIZES, ...FRAMES],
  jpeg: [{}, ...SIZES, ...FRAMES, {quality: 70}],
  webp: [{}, ...SIZES, ...FRAMES],
  pdf: [{}, ...SIZES, ...FRAMES],
};
// Settings of the deployment, as options of the client.
const SETTINGS = [
  [{frames_per_lambda: 30}, {framesPerLambda: 30}],
  [{concurrency: 7}, {concurrency: 7}],
  [{delete_after: '7-days'}, {deleteAfter: '7-days'}],
  [{license_key: 'rm_pub'}, {licenseKey: 'rm_pub'}],
  [{privacy: 'no-acl'}, {privacy: 'no-acl'}],
  [{image_format: 'jpeg', color_space: 'default'}, {imageFormat: 'jpeg', colorSpace: 'default'}],
  [{output_provider: PROVIDER}, {outName: outName('mp4', PROVIDER)}],
];
const STILL_SETTINGS = [
  [{delete_after: '7-days'}, {deleteAfter: '7-days'}],
  [{license_key: 'rm_pub'}, {licenseKey: 'rm_pub'}],
  [{privacy: 'no-acl'}, {privacy: 'no-acl'}],
  [{output_provider: PROVIDER}, {outName: outName('png', PROVIDER)}],
];

function mediaOptions(codec, options) {
  const audio = ['mp3', 'aac', 'wav'].includes(codec);
  const translated = Object.entries(options)
    .filter(([name]) => name !== 'transparent')
    .map(([name, value]) => (audio && name === 'bitrate_kbps' ? {audioBitrate: `${value}k`} : VIDEO[name](value)));
  return {
    codec,
    imageFormat: audio ? 'none' : 'png',
    ...(audio || codec === 'gif' ? {} : {colorSpace: 'bt709'}),
    ...Object.assign({}, ...translated),
    ...(options.transparent ? {...ALPHA[codec], ...(options.prores_profile ? {proResProfile: options.prores_profile} : {})} : {}),
  };
}

const stillOptions = (options) => Object.assign({}, ...Object.entries(options).map(([name, value]) => STILL[name](value)));

async function record(call, format, options, settings, given) {
  requests.length = 0;
  await client[call](given).catch(() => {}); // the server's answer to a streamed invocation is no result
  console.log(JSON.stringify({call, format, options, settings, payload: requests[0]}));
}

const start = (codec, options, settings, more) =>
  record('renderMediaOnLambda', codec, options, settings, {
    ...common,
    composition: 'Promo',
    privacy: 'private',
    enableCancellation: true,
    outName: outName(EXTENSIONS[codec] ?? codec),
    ...mediaOptions(codec, options),
    ...more,
  });
const still = (imageFormat, options, settings, more) =>
  record('renderStillOnLambda', imageFormat, options, settings, {
    ...common,
    composition: 'Promo',
    privacy: 'private',
    imageFormat,
    outName: outName(imageFormat),
    ...stillOptions(options),
    ...more,
  });

for (const [codec, cases] of Object.entries(MEDIA)) {
  for (const options of cases) await start(codec, options, {}, {});
}
await start('vp8', {transparent: true}, {image_format: 'jpeg'}, {}); // JPEG frames can't be transparent
for (const [settings, more] of SETTINGS) await start('h264', {}, settings, more);
for (const [imageFormat, cases] of Object.entries(STILLS)) {
  for (const options of cases) await still(imageFormat, options, {}, {});
}
for (const [settings, more] of STILL_SETTINGS) await still('png', {}, settings, more);
await record('getCompositionsOnLambda', null, {}, {}, {...common, envVariables: {}, inputProps: {}});
await record('getCompositionsOnLambda', null, {}, {props: PROPS}, {...common, envVariables: {}});
await record('getRenderProgress', null, {}, {}, {...common, bucketName: BUCKET, renderId: 'abcdefghij'});
await record('getRenderProgress', null, {}, {output_provider: PROVIDER}, {
  ...common,
  bucketName: BUCKET,
  renderId: 'abcdefghij',
  s3OutputProvider: PROVIDER,
});
server.close();
process.exit(0);
